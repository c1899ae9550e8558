"""A Graph API of our own: a separate process that answers like Meta's Marketing API.

It imports nothing of adlab and nothing of adlab imports it; start it with
``python -m adlab.simulator --port N``. What it imitates, and what it does not, is listed line by
line in ``COVERAGE.md`` beside this file.
"""
