"""Refusals: answers "no" that a caller can use.

A refusal has a code that never changes its meaning, a sentence with the facts in it (its docstring, English) and, where a
borrower may read it, the same in Chinese (`zh`). Everything else that goes wrong is a fault and travels up untouched.
"""

from typing import ClassVar


class Refusal(Exception):  # noqa: N818  (a refusal is an answer, not an error)
    """The request was refused; nothing was done."""

    code: ClassVar[str] = "refused"
    zh: ClassVar[str] = ""
    status: ClassVar[int] = 422
    retry: ClassVar[str] = "never"

    def __init__(self, **facts: object) -> None:
        super().__init__(self.code)
        self.facts = facts

    @property
    def text(self) -> str:
        """The English sentence, facts filled in."""
        return (type(self).__doc__ or "").strip().split("\n\n")[0].replace("\n", " ").format_map(_Facts(self.facts))

    @property
    def text_zh(self) -> str:
        """The Chinese sentence, facts filled in; the English one where there is none."""
        return self.zh.format_map(_Facts(self.facts)) if self.zh else self.text

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


class BadField(Refusal):
    """The field {field} is missing or not as it should be: {why}. Nothing was done; mend it and send again."""

    code = "bad-field"
    zh = "“{field}”没有填对，什么都没有改变，请改好再发一次。"
    status = 400


class NotFound(Refusal):
    """There is no {what} {which} here."""

    code = "not-found"
    zh = "没有找到您要的内容。"
    status = 404


class KeyReused(Refusal):
    """The key {key} already belongs to another request; nothing was done. Use a fresh key for a new request."""

    code = "key-reused"
    zh = "这个请求编号已经用过了，什么都没有改变。请重新提交。"
    status = 409


class WrongState(Refusal):
    """{what} is {state}, so this cannot be done now; possible here: {possible}."""

    code = "wrong-state"
    zh = "以现在的状态还不能做这一步，什么都没有改变。"
    status = 409


class _Facts(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "?"
