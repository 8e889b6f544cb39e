"""What the rules engine refuses. Errors inside expressions are no refusals: they are nulls with diagnostics."""

from puhui.foundation.refusals import Refusal


class UnreadableFile(Refusal):
    """The file {file} cannot be read as DMN: {why}. Nothing was loaded; mend the file and load it again."""

    code = "rules.unreadable-file"
    zh = "无法把{file}读作 DMN 文件：{why}。"


class UnknownDecision(Refusal):
    """The model has no {what} called {name}. It has: {known}."""

    code = "rules.unknown-decision"
    zh = "模型中没有名为“{name}”的{what}。"


class DamagedArtefact(Refusal):
    """The artefact cannot be used: {why}. Fetch it again by its SHA-256, or compile the model anew."""

    code = "rules.damaged-artefact"
    zh = "编译后的规则文件不可用：{why}。"


class MissingInput(Refusal):
    """The row has no {column}. Give every column that the schema names; None stands for no value."""

    code = "rules.missing-input"
    zh = "缺少输入“{column}”。"


class BadInput(Refusal):
    """Row {row}, column {column}: {why}. The schema says {kind}."""

    code = "rules.bad-input"
    zh = "第{row}行的“{column}”不符合约定：{why}。"


class BadManifest(Refusal):
    """The manifest of the strategy cannot be used: {why}. Mend it and publish it anew; nothing was changed."""

    code = "rules.bad-manifest"
    zh = "策略清单不可用：{why}。"


class PolicyFails(Refusal):
    """The model {model} has {number} faults of its own, so it cannot be published. The first: {first}. Mend the model or the example."""

    code = "rules.policy-fails"
    zh = "模型“{model}”有{number}处错误，不能发布。第一处：{first}。"


class UnreadableSheet(Refusal):
    """{sheet} cannot be taken as tables of the model: {why}. Nothing was changed; mend it and try again."""

    code = "rules.unreadable-sheet"
    zh = "{sheet}不能读作模型的决策表：{why}。"
