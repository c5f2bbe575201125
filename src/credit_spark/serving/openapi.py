"""The OpenAPI document of the JSON answers, with the contract's own fields."""

from typing import Any

from credit_spark.serving.fields import Field

NUMBER, TEXT = {"type": "number"}, {"type": "string"}
ANSWER = {
    "good_or_bad": TEXT,
    "pd": NUMBER,
    "points": {"type": "integer"},
    "band": TEXT,
    "decision": TEXT,
    "reasons": {"type": "array", "items": TEXT},
    "parts": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"feature": TEXT, "value": TEXT, "points": NUMBER},
        },
    },
    "model_version": TEXT,
}


def document_of(title: str, root: str, fields: list[Field]) -> dict[str, Any]:
    """The document: three answers, and the applicant's fields as a schema."""
    answer = _json({"type": "object", "properties": ANSWER})
    sent = {
        "type": "object",
        "properties": {field.name: _schema(field) for field in fields},
        "required": [field.name for field in fields if field.is_required],
        "additionalProperties": False,
    }
    loan_id = {"name": "loan_id", "in": "path", "required": True, "schema": TEXT}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"credit-spark: {title}", "version": "1"},
        "paths": {
            f"{root}/night": {"get": _operation("The newest night", {"type": "object"})},
            f"{root}/loans/{{loan_id}}": {
                "get": {
                    "summary": "A loan's score of the newest night",
                    "parameters": [loan_id],
                    "responses": {
                        "200": {"description": "the score", **answer},
                        "404": _fault("no such loan"),
                    },
                }
            },
            f"{root}/applicants": {
                "post": {
                    "summary": "An applicant's score",
                    "requestBody": {"required": True, **_json(sent)},
                    "responses": {
                        "200": {"description": "the score", **answer},
                        "400": _fault("no JSON object"),
                        "413": _fault("too large"),
                        "422": _fault("some fields cannot be used"),
                    },
                }
            },
        },
    }


def _operation(summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": {"description": summary, **_json(schema)}}}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


def _fault(words: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"error": TEXT}, "required": ["error"]}
    return {"description": words, **_json(schema)}


def _schema(field: Field) -> dict[str, Any]:
    """A field's values, as they are typed: a rate in percent."""
    described = {"description": field.hint} if field.hint else {}
    if field.promise.kind == "flag":
        return {"type": "boolean", **described}
    if field.choices:
        return {"type": "string", "enum": list(field.choices), **described}
    if field.promise.kind == "date":
        return {"type": "string", "format": "date", **described}
    if field.promise.kind in ("text", "category"):
        return {"type": "string", **described}
    times = 100 if field.promise.kind == "rate" else 1
    bounds = field.promise.range
    limits = {"minimum": bounds[0] * times, "maximum": bounds[1] * times} if bounds else {}
    return {"type": "number", **limits, **described}
