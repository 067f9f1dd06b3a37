// Nothing of its own: the whole library is linked into it, to be weighed.
