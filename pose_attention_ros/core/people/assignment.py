"""Who goes with whom at the least cost: exact, deterministic, and without a library, for the few people of an image."""

from __future__ import annotations

import numpy as np


def assign(cost: np.ndarray, alone: float | None = None) -> np.ndarray:
    """The column of each row (R,) int64, -1 for none, at the least sum of all costs. No column is given twice.

    :param cost: (R, C) float, inf where two do not fit
    :param alone: what a row costs that gets no column; None: so much that as many pairs are made as can be
    """
    rows, columns = cost.shape
    if not rows or not columns:
        return np.full(rows, -1, np.int64)
    best = cost.argmin(1)
    fits = cost[np.arange(rows), best] < (np.inf if alone is None else alone)
    wanted = best[fits]
    if len(set(wanted.tolist())) == len(wanted):  # as almost always: nobody else wants what suits each best
        return np.where(fits, best, -1)
    chosen = np.full(rows, -1, np.int64)
    fitting = np.flatnonzero(fits)
    chosen[fitting] = _shortest_paths(cost[fitting], alone)
    return chosen


def _shortest_paths(cost: np.ndarray, alone: float | None) -> np.ndarray:
    """`assign` by shortest augmenting paths (Jonker and Volgenant, Computing 38, 1987), O(R^2 C).

    Each row has a column of its own beside the true ones; to take it is to stay alone. Without a price for that it is dearer
    than any true pairs are together, so that it is taken only where there is no other way.
    """
    rows, columns = cost.shape
    if alone is None:
        alone = 1.0 + 2 * float(np.abs(np.where(np.isfinite(cost), cost, 0)).sum())
    table = np.full((rows, columns + rows), np.inf)
    table[:, :columns] = cost
    table[np.arange(rows), columns + np.arange(rows)] = alone
    row_price, column_price = np.zeros(rows), np.zeros(columns + rows)
    owner = np.full(columns + rows, -1, np.int64)  # row of each column
    for row in range(rows):
        way = np.full(columns + rows, np.inf)  # of the cheapest path from `row` to each column
        before = np.full(columns + rows, -1, np.int64)  # the column that such a path comes from
        done = np.zeros(columns + rows, bool)
        at, last, length = row, -1, 0.0
        while True:
            through = length + table[at] - row_price[at] - column_price
            shorter = ~done & (through < way)
            way[shorter], before[shorter] = through[shorter], last
            last = int(np.where(done, np.inf, way).argmin())
            length = way[last]
            done[last] = True
            if owner[last] < 0:
                break
            at = int(owner[last])
        on_the_way = done & (owner >= 0)
        row_price[owner[on_the_way]] += length - way[on_the_way]
        row_price[row] += length
        column_price[done] += way[done] - length
        while last >= 0:  # give every column on the path to the row before
            previous = int(before[last])
            owner[last] = owner[previous] if previous >= 0 else row
            last = previous
    chosen = np.full(rows, -1, np.int64)
    owned = np.flatnonzero(owner[:columns] >= 0)
    chosen[owner[owned]] = owned
    return chosen
