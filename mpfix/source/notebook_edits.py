"""Edits of a notebook's text, brought to the cells they belong to."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mpfix.source.notebook import CellText, cell_sources, with_sources
from mpfix.source.text_edits import TextEdit, UnwritableEdit, spliced


def edited_bytes(
    data: bytes, text: str, cells: Sequence[CellText], edits: Sequence[TextEdit], display: str
) -> tuple[bytes, str]:
    """The notebook's bytes after edits that are in order, and the text they must read back as.

    Raises:
        UnwritableEdit: an edit touches a masked magic or crosses cells.
    """
    by_cell = _by_cell(cells, edits)
    sources = cell_sources(data, display)
    changed: dict[int, str] = {}
    parts = []
    for cell in cells:
        # an insertion that moved behind `%%time` may have passed others
        mine = sorted(by_cell.get(cell.number, ()), key=lambda edit: (edit.start, edit.end))
        if mine:
            source = sources[cell.number] + "\n" * cell.has_added_newline
            shifted = [TextEdit(edit.start - cell.body, edit.end - cell.body, edit.content) for edit in mine]
            changed[cell.number] = _without_added_newline(spliced(source, shifted), cell)
        parts.append(_edited_text(text, cell, mine))
    return with_sources(data, changed), "".join(parts)


def _by_cell(cells: Sequence[CellText], edits: Sequence[TextEdit]) -> dict[int, list[TextEdit]]:
    inner = {cell.number for cell in cells for edit in edits if cell.start < edit.end and edit.start < cell.end}
    found: dict[int, list[TextEdit]] = {}
    for edit in edits:
        cell = _cell_of(cells, edit, inner)
        if edit.is_insertion and cell.body <= edit.start < cell.header_end:
            edit = TextEdit(cell.header_end, cell.header_end, edit.content)
        _refuse_masked(cell, edit)
        found.setdefault(cell.number, []).append(edit)
    return found


def _cell_of(cells: Sequence[CellText], edit: TextEdit, edited: Collection[int]) -> CellText:
    """The cell that takes the edit; between two cells see `Document.with_edits`."""
    takers = [cell for cell in cells if cell.start <= edit.start and edit.end <= cell.end]
    if not takers:
        raise UnwritableEdit(f"edit {edit.start}:{edit.end} is not within one cell")
    if len(takers) == 1 or not edit.is_insertion:
        # a replacement that touches two cells is empty in one of them
        return next(cell for cell in takers if edit.is_insertion or edit.start < cell.end)
    earlier, later = takers[0], takers[-1]
    is_indented = edit.content.lstrip("\r\n")[:1] in (" ", "\t")
    only_earlier = earlier.number in edited and later.number not in edited
    return earlier if is_indented or only_earlier or later.body > later.start else later


def _refuse_masked(cell: CellText, edit: TextEdit) -> None:
    for start, end in cell.masks:
        if edit.start < end and start < edit.end:
            raise UnwritableEdit(f"edit {edit.start}:{edit.end} touches a magic of cell {cell.number}")
    if edit.start < cell.body:
        raise UnwritableEdit(f"edit {edit.start}:{edit.end} is in front of the indented cell {cell.number}")


def _without_added_newline(source: str, cell: CellText) -> str:
    return source.removesuffix("\n") if cell.has_added_newline else source


def _edited_text(text: str, cell: CellText, edits: Sequence[TextEdit]) -> str:
    """What the cell's part of the text becomes; an emptied cell leaves nothing, a new last line gets its newline."""
    shifted = [TextEdit(edit.start - cell.start, edit.end - cell.start, edit.content) for edit in edits]
    edited = spliced(text[cell.start : cell.end], shifted)
    if not edits:
        return edited
    body = _without_added_newline(edited, cell)
    return body if body.endswith("\n") or not body else body + "\n"
