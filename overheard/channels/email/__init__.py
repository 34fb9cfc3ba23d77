"""Send mails over SMTP with the standard library: ``transport`` sends, ``message`` writes, ``session`` talks."""
