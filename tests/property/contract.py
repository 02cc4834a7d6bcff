"""What the contract says of a request, read from the OpenAPI document as plainly as can be. It knows the words that
conf/integrations.openapi.json uses, and stops at any other."""

import re

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z")
KNOWN = {"type", "additionalProperties", "required", "properties", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum",
         "multipleOf", "oneOf", "anyOf", "discriminator", "format", "$ref", "description", "example", "default", "x-portcullis"}


def matches(pattern, text):
    """Does the pattern match somewhere in the text? `$` is the end of the text; a newline before it is not passed over."""
    return re.search(re.sub(r"(?<!\\)\$", r"\\Z", pattern), text) is not None


class Operation:
    """One operation of the contract: its id, effect and permission, its parameters and the schema of its body."""

    def __init__(self, method, path, item, document):
        self.method, self.path, self.id = method.upper(), path, item["operationId"]
        self.effect, self.permission = item["x-portcullis"]["effect"], item["x-portcullis"]["permission"]
        self.parameters = [resolve(parameter, document) for parameter in document["paths"][path].get("parameters", []) + item.get("parameters", [])]
        body = item.get("requestBody")
        self.schema = body and body["content"]["application/vnd.api+json"]["schema"]
        self.segments = ("/rest" + path).split("/")[1:]

    @property
    def changes(self):
        return self.effect != "read"

    def bind(self, segments):
        """The path's parameters, when these are the segments of a target of this path; else None."""
        if len(segments) != len(self.segments):
            return None
        bound = {}
        for ours, theirs in zip(self.segments, segments):
            if ours.startswith("{"):
                bound[ours[1:-1]] = theirs
            elif ours != theirs:
                return None
        return bound


def resolve(schema, document):
    while "$ref" in schema:
        name = schema["$ref"]
        schema = document
        for part in name.split("/")[1:]:
            schema = schema[part]
    return schema


def operations(document):
    return [Operation(method, path, item, document) for path, methods in document["paths"].items()
            for method, item in methods.items() if method != "parameters"]


def fits(value, schema, document):
    """Is the value as the schema has it?"""
    schema = resolve(schema, document)
    unknown = set(schema) - KNOWN
    assert not unknown, f"this evaluator does not know {unknown}"
    if "type" in schema and not of_type(value, schema["type"]):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if isinstance(value, str) and not text_fits(value, schema):
        return False
    if isinstance(value, int) and not isinstance(value, bool) and not number_fits(value, schema):
        return False
    if "oneOf" in schema:
        return chosen_fits(value, schema, document)
    if "anyOf" in schema and not any(fits(value, one, document) for one in schema["anyOf"]):
        return False
    if isinstance(value, dict):
        return members_fit(value, schema, document)
    return True


def of_type(value, name):
    if name == "boolean":
        return isinstance(value, bool)
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, {"object": dict, "string": str, "array": list}[name])


def text_fits(text, schema):
    if not schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text)):
        return False
    if "pattern" in schema and not matches(schema["pattern"], text):
        return False
    if schema.get("format") == "uuid":
        return UUID.match(text) is not None
    if schema.get("format") == "hostname":
        return len(text) <= 253 and all(LABEL.match(label) for label in text.split("."))
    return True


def number_fits(number, schema):
    return (schema.get("minimum", number) <= number <= schema.get("maximum", number)
            and number % schema.get("multipleOf", 1) == 0)


def chosen_fits(value, schema, document):
    """Of several schemas the one that the discriminator's member names."""
    kind = value.get(schema["discriminator"]["propertyName"]) if isinstance(value, dict) else None
    name = schema["discriminator"]["mapping"].get(kind) if isinstance(kind, str) else None
    return name is not None and fits(value, {"$ref": "#/components/schemas/" + name}, document)


def members_fit(value, schema, document):
    properties = schema.get("properties", {})
    if any(name not in value for name in schema.get("required", [])):
        return False
    if schema.get("additionalProperties", True) is False and any(name not in properties for name in value):
        return False
    return all(fits(value[name], properties[name], document) for name in value if name in properties)


def parameter_fits(text, schema, document):
    """A parameter is text; an integer is written as decimal digits without a leading zero."""
    schema = resolve(schema, document)
    if schema.get("type") != "integer":
        return fits(text, schema, document)
    return re.match(r"(0|-?[1-9][0-9]*)\Z", text) is not None and fits(int(text), schema, document)
