"""Reports: notebooks run with parameters, and turned into paper.

Lives here: which reports exist (`catalog`), running one in a process of its own (`render`), the
blocks a report is made of (`blocks`), notebook → Typst (`typst_exporter`) and Typst → PDF (`pdf`).
Does not live here: any number, any database, and who may read what.
"""
