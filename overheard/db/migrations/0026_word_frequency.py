"""How frequent words are in what is read, as learned from the sample."""

from peewee import *


def up(migrator, db):
    class WordFrequency(Model):
        word = TextField(primary_key=True)
        items = IntegerField()
        share = DoubleField()

        class Meta:
            database = db
            table_name = "word_frequency"

    db.create_tables([WordFrequency])


def down(migrator, db):
    migrator.migrate(migrator.drop_table("word_frequency"))
