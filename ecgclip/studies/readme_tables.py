"""Tables of a README that are made from results files: written between their markers, or held to be the files'."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ecgclip.corpora.writing import write_text
from ecgclip.errors import DataError

__all__ = ["keep_tables"]


def keep_tables(readme: Path, tables: Mapping[str, Sequence[str]], *, check: bool = False) -> None:
    """Write tables between ``<!-- table:NAME -->`` and ``<!-- /table:NAME -->``.

    Args:
        readme: the file.
        tables: lines of each table by name.
        check: change nothing.

    Raises:
        DataError: a marker is absent, or with ``check`` a table differs.
    """
    old = new = readme.read_text(encoding="utf-8")
    for name, lines in tables.items():
        begin, end = f"<!-- table:{name} -->\n", f"<!-- /table:{name} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.S)
        if not pattern.search(new):
            raise DataError(
                f"{readme}: marker table:{name} is absent: put it and /table:{name} where the table goes"
            )
        body = begin + "\n".join(lines) + "\n" + end
        new = pattern.sub(lambda _, body=body: body, new)  # type: ignore[misc]
    if check and new != old:
        raise DataError(
            f"{readme}: its tables are not those of the results files: run the script without --check"
        )
    if not check:
        write_text(readme, new)
