"""Operations without a user interface: the one implementation behind the command line and the alerts."""
