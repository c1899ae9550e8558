"""Our database: engine, migrations, tenancy, and load/store of every kind of row."""
