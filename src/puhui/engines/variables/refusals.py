"""The refusals of the variables engine: a wrong name, a hostile column, a damaged blob. None of them carries a person's value."""

from puhui.foundation.refusals import Refusal


class NoSuchVariable(Refusal):
    """There is no variable {name}: {why}."""

    code = "variables.no-such-variable"
    zh = "没有变量 {name}：{why}。"


class NoSuchTable(Refusal):
    """There is no table {table}; the tables are {tables}."""

    code = "variables.no-such-table"
    zh = "没有表 {table}；现有的表：{tables}。"


class MissingColumn(Refusal):
    """Table {table} came without a usable column {column}: {why}."""

    code = "variables.missing-column"
    zh = "表 {table} 缺少可用的列 {column}：{why}。"


class NotWhole(Refusal):
    """Column {column} of table {table} must hold whole numbers: {why}. A source with fractions declares a finer unit."""

    code = "variables.not-whole"
    zh = "表 {table} 的列 {column} 必须是整数：{why}。"


class NumberOutOfRange(Refusal):
    """A number in column {column} of table {table} is out of its range: {why}."""

    code = "variables.number-out-of-range"
    zh = "表 {table} 的列 {column} 有超出范围的数：{why}。"


class TimeOutOfRange(Refusal):
    """{what} is outside 1970-01-01 to 2106-02-07 UTC (0 to 2^32 seconds, given in microseconds)."""

    code = "variables.time-out-of-range"
    zh = "{what} 超出 1970-01-01 到 2106-02-07（UTC）的范围。"


class NaiveTime(Refusal):
    """{what} has no time zone; give an aware time, or whole microseconds since 1970-01-01 UTC."""

    code = "variables.naive-time"
    zh = "{what} 没有时区。"


class TwoTruths(Refusal):
    """Table {table} holds two different rows of one event with the same known_time and revision; one of them needs a later revision."""

    code = "variables.two-truths"
    zh = "表 {table} 里同一事件、同一得知时刻、同一修订号有两行不同的内容。"


class NoFetch(Refusal):
    """Table {table} and its fetches do not go together: {why}."""

    code = "variables.no-fetch"
    zh = "表 {table} 与其查询记录不相符：{why}。"


class TooManyRows(Refusal):
    """Table {table} holds {rows} rows of one person; {most} are the most."""

    code = "variables.too-many-rows"
    zh = "表 {table} 有 {rows} 行，最多 {most} 行。"


class DamagedBlob(Refusal):
    """These bytes are not a whole history or plan: {why}."""

    code = "variables.damaged-blob"
    zh = "这些字节不是完整的数据：{why}。"


class OtherCatalogue(Refusal):
    """This {what} was made for other tables than this catalogue's; read it with the catalogue that wrote it."""

    code = "variables.other-catalogue"
    zh = "这份数据属于另一个变量目录。"


class BadDeclaration(Refusal):
    """The declaration of {what} cannot stand: {why}."""

    code = "variables.bad-declaration"
    zh = "{what} 的声明不成立：{why}。"
