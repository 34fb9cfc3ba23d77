"""What Apprise's services said when they took nothing is not kept: it may repeat an item, which may be erased since."""

from peewee import *

SAID = ":// not delivered: "
INSTEAD = "not delivered; what the service said is kept no longer"


def up(migrator, db):
    for name, column in (("channel", "reason"), ("delivery", "error")):
        text = getattr(Table(name, (column,)), column)
        text.source.update({text: INSTEAD}).where(text.contains(SAID)).execute(db)


def down(migrator, db):
    pass
