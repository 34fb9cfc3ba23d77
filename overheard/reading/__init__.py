"""When and in which groups feeds are read, for the fewest requests or for the freshest items. Pure.

``paging`` says what a reading costs, ``packing`` which feeds are read together, ``intervals`` how often each group is
read, ``regrouping`` whether other groups would pay, and ``plan`` puts them together. Everything is arithmetic on the
feeds' rates: no clock, no database.
"""
