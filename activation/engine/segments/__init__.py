"""Segments by rule tree: `activation/segments/<name>.yml` becomes the dbt model `segment_<name>`, of the same kind as one written in SQL.

`specs` says what may be written, `tree` reads it, `conditions` makes SQL of it and `words` a sentence; `generated` writes what dbt reads.
"""
