"""Files people bring: Ads Manager exports and mapped CSV or XLSX, read row by row.

`files` opens a file, `mapping` reads a mapping, `layout` decides which column is what, `rows` turns
lines into rows or named problems. Nothing here knows the store.
"""
