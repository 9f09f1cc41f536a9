"""All columns that a conversation may use, in any spelling, with those of labels."""

from __future__ import annotations

from staragents.data.readers.column_names import ColumnNames
from staragents.data.readers.labels import is_label


class ConversationColumns(ColumnNames):
    """Also contains the names of labels, which are known by their words."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (isinstance(name, str) and is_label(name))
