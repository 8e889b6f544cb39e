"""DMN written by tests: models from a few words."""

from html import escape

NAMESPACE = "https://www.omg.org/spec/DMN/20230324/MODEL/"


def definitions(body, *, inputs=None, namespace="urn:test"):
    """A model with input data and whatever else stands in `body`."""
    data = "".join(
        f'<inputData id="{escape(name)}" name="{escape(name)}"><variable name="{escape(name)}" typeRef="{kind}"/></inputData>' for name, kind in (inputs or {}).items()
    )
    return f'<definitions xmlns="{NAMESPACE}" name="test" namespace="{namespace}">{data}{body}</definitions>'.encode()


def table(name, columns, rows, outputs=("output",), *, policy="UNIQUE", gather="", listed=None, default=None, requires=None, allowed=None):
    """A decision that is a table: the texts of its columns, and rows of cells and results."""
    needs = columns if requires is None else requires
    told = [f'<decision id="{escape(name)}" name="{escape(name)}"><variable name="{escape(name)}"/>']
    told += [f'<informationRequirement><requiredInput href="#{escape(one)}"/></informationRequirement>' for one in needs]
    told.append(f'<decisionTable hitPolicy="{policy}"{f""" aggregation="{gather}" """ if gather else ""}>')
    for number, one in enumerate(columns):
        limits = f"<inputValues><text>{escape(allowed[number])}</text></inputValues>" if allowed and allowed[number] else ""
        told.append(f"<input><inputExpression><text>{escape(one)}</text></inputExpression>{limits}</input>")
    for number, one in enumerate(outputs):
        values = f"<outputValues><text>{escape(listed[number])}</text></outputValues>" if listed and listed[number] else ""
        told.append(f'<output name="{escape(one)}">{values}' + (f"<defaultOutputEntry><text>{escape(default)}</text></defaultOutputEntry>" if default else "") + "</output>")
    for cells, results in rows:
        told.append("<rule>" + "".join(f"<inputEntry><text>{escape(one)}</text></inputEntry>" for one in cells))
        told.append("".join(f"<outputEntry><text>{escape(one)}</text></outputEntry>" for one in results) + "</rule>")
    return "".join(told) + "</decisionTable></decision>"
