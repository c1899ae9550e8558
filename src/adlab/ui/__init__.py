"""What people see: figures in, HTML out; and the one small model that keeps an open page alive.

Everything here is a pure function of values, except `live`, `wire` and `visit`, which know Panel's
sessions and are imported by boards only. Names from outside are escaped by the templates.
"""
