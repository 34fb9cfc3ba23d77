"""A day of real text through every medium, on a clock that is stepped: ``make day``.

``flow`` makes the day's items, ``virtual_day`` runs the stages on them, ``receivers`` are the services, ``transcript``
writes down what each of them got.
"""
