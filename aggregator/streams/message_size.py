"""How many rows a message of a stream may have: fewer, where larger ones are refused."""

from __future__ import annotations

#: Attempts at a message of several rows that is at fault, before it is made smaller.
ATTEMPTS = 3
#: The part by which messages grow again after larger ones were refused: a receiver that takes no
#: more refuses few of them then.
_GROWTH = 50


class MessageSize:
    """The size of the messages of one stream; a row alone is as small as can be."""

    def __init__(self, most: int) -> None:
        #: Rows of the next message at most.
        self.rows = most
        self._most = most
        self._refused = 0
        # Since a message was refused whose rows may be innocent, each by itself.
        self._is_wary = False

    def passed(self, rows: int) -> None:
        """Take note of a message that was sent: if it was full, the next may be larger."""
        self._refused = 0
        if rows >= self.rows:
            grown = self.rows + 1 + self.rows // _GROWTH if self._is_wary else 2 * self.rows
            self.rows = min(self._most, grown)
            self._is_wary &= self.rows < self._most

    def is_smaller_after(self, rows: int, *, attempts: int | None) -> bool:
        """Take note of a message at fault; whether the next is to be smaller, or for a row alone,
        whether it was tried `attempts` times, None for ever.
        """
        self._refused += 1
        if rows == 1:
            patience = attempts
        else:
            patience = 1 if self._is_wary else min(ATTEMPTS, attempts or ATTEMPTS)
        if patience is None or self._refused < patience:
            return False
        self._refused = 0
        self._is_wary = rows > 1
        self.rows = max(1, rows // 2)
        return True
