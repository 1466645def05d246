"""How the changes API describes its requests: each kind of change, from what it asks for."""

from typing import Any

from pydantic import BaseModel

from directory.changes import (
    kind,
    kinds,  # noqa: F401 (registered by being imported)
)
from directory.changes.asks import ask_of
from directory.changes.kind import About, Kind
from idp.api.bodies import Fingerprint

Schema = dict[str, Any]

_REFERENCE: Schema = {"type": ["string", "integer"]}
_WHOM: Schema = {
    "user": _REFERENCE | {"description": "A person by username or id."},
    "users": {"type": "array", "items": _REFERENCE, "minItems": 1, "maxItems": 2000},
}
_WHEN_AND_WHY: Schema = {
    "effective_on": {
        "type": "string",
        "format": "date",
        "description": "Left out: today in Viet Nam.",
    },
    "decision": {"$ref": "#/components/schemas/Decision"},
}


def schemas() -> Schema:
    """ChangeRequest and CommitRequest, and one of each for every kind."""
    found: Schema = {}
    seen = described(Fingerprint)["properties"]
    for name, more in (("ChangeRequest", {}), ("CommitRequest", seen)):
        refs = {}
        for one in kind.requested():
            of = f"{name}.{one.code}"
            found[of] = _request(one, more)
            refs[one.code] = f"#/components/schemas/{of}"
        found[name] = {
            "oneOf": [{"$ref": ref} for ref in refs.values()],
            "discriminator": {"propertyName": "kind", "mapping": refs},
        }
    return found


def _request(one: Kind, more: Schema) -> Schema:
    own = described(one.asks)
    whom = _WHOM if one.about == About.PEOPLE else {}
    return {
        "type": "object",
        "description": one.summary.replace("USER", "the person"),
        "properties": {
            "kind": {"type": "string", "const": one.code},
            **whom,
            **own["properties"],
            **_WHEN_AND_WHY,
            **more,
        },
        "required": ["kind", *own.get("required", ()), *more],
        "additionalProperties": False,
    }


def described(model: type[BaseModel]) -> Schema:
    """A model of fields as JSON Schema, each field with what it says, models inside in their place."""
    properties: Schema = {}
    required = []
    shapes = model.model_json_schema()["properties"] if model.model_fields else {}
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            shape = described(inner)
        else:
            shape = {k: v for k, v in shapes[name].items() if k not in ("title", "default")}
        says = ask_of(model, name).says
        properties[name] = shape | ({"description": says} if says else {})
        if field.is_required():
            required.append(name)
    found: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return found | ({"required": required} if required else {})
