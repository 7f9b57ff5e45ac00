"""Say what a job is: one file per job, and each has the names below.

``MAKE(folder)``
    Writes the invented input into an empty folder, once.
``CASES``
    Names to functions: ``case(folder) -> check value`` (must agree between all cases; JSON-ready). A case runs
    in its own process, where it may import what it likes. A case whose tool is absent raises `Absent`.
``OURS``, ``AIMS``
    The name of our case, and for every peer the aim: how many times our CPU seconds theirs must be (``at_least``).
    ``at_most`` turns it round, for aims such as "at most 1.3 times theirs".
``IMPORTS`` (optional)
    Cases to the names of modules that are imported before the clock runs: neither side is charged for its imports,
    only for its work. A program that a case starts is counted whole.
``SETUP`` (optional)
    Cases to functions that prepare something the case needs and that is not timed (an index, a converted file).
"""


class Absent(Exception):
    """The peer of this case is not on this machine; says which."""
