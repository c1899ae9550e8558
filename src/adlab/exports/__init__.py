"""Files people bring, and files they take away.

`files` opens a file, `mapping` reads a mapping, `layout` decides which column is what, `rows` turns
lines into rows or named problems; `rates` reads exchange rates. `tables` is what goes out, written
by `write_csv` and `write_xlsx`. Nothing here knows the store.
"""
