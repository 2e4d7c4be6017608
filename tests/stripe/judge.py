"""Are recorded requests and the simulator's objects what Stripe's own description allows?

judge.py FOLDER REQUESTS.jsonl OBJECTS.json

FOLDER holds Stripe's OpenAPI description (`spec3*.json` or `stripe.com.json`) and, where there are any, its example
objects (`fixtures3*.json`). A request is read into a tree, its texts are turned into what the schema wants there, and
the schema, made strict, judges it. An object is judged by its component schema, and its keys are compared with those
of Stripe's example, also inside. The description that can be had is older than the API version in use, so the names
below are newer than it; the list is kept short, and the SDK's types (types.mjs) judge those.
"""

import json
import pathlib
import re
import sys
import urllib.parse

import jsonschema

NEWER_PARAMETERS = {"allowed_payment_method_types", "created", "integration_identifier", "status"}
NEWER_WORDS = {"hosted_page"}

# What is the shop's own or another object, inside an object.
OPAQUE = ("data", "metadata", "payment_method_options")

# What Stripe's examples show and these objects rightly don't have: a card where a wallet paid, and a list that since
# 2022-11-15 comes only with expand[].
NOT_HERE = {
    "charge": {"refunds", "payment_method_details.card"},
    "payment_method": {"card"},
    "refund": {"destination_details.card"},
}


def strict(schema):
    """Nested parameters carry no additionalProperties: nothing but what is named may come."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: strict(part) for key, part in schema.items()}
    if schema.get("type") == "object" and "properties" in schema and "additionalProperties" not in schema:
        schema["additionalProperties"] = False
    return schema


def nullable(schema):
    """OpenAPI 3.0 says `nullable`; JSON Schema says it with another type."""
    if isinstance(schema, list):
        return [nullable(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: nullable(part) for key, part in schema.items() if key != "maxLength"}
    if "enum" in schema and isinstance(schema["enum"], list):
        schema["enum"] = schema["enum"] + sorted(NEWER_WORDS)
    if schema.pop("nullable", False):
        return {"anyOf": [schema, {"type": "null"}]}
    return schema


def tree(form):
    root = {}
    for name, value in urllib.parse.parse_qsl(form, keep_blank_values=True):
        place, keys = root, re.findall(r"[^\[\]]+|(?<=\[)(?=\])", name)
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1] or str(len(place))] = value
    return root


class Judge:
    def __init__(self, spec):
        self.paths, self.components = spec["paths"], spec["components"]

    def resolve(self, schema):
        while "$ref" in schema:
            schema = self.components["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
        return schema

    def errors(self, schema, value):
        whole = {**schema, "components": self.components}
        return [
            f"{'.'.join(map(str, error.absolute_path)) or '(top)'}: {error.message[:200]}"
            for error in jsonschema.Draft4Validator(whole).iter_errors(value)
        ]

    def fitted(self, value, schema):
        """Texts of a form as the types that the schema wants."""
        schema = self.resolve(schema)
        for choice in schema.get("anyOf", []):
            candidate = self.fitted(value, choice)
            if not self.errors(choice, candidate):
                return candidate
        kind = schema.get("type")
        if isinstance(value, dict) and kind == "array":
            if not all(key.isdigit() for key in value):
                return value
            return [self.fitted(value[key], schema.get("items", {})) for key in sorted(value, key=int)]
        if isinstance(value, dict):
            known, more = schema.get("properties", {}), schema.get("additionalProperties")
            more = more if isinstance(more, dict) else {}
            return {key: self.fitted(part, known.get(key, more)) for key, part in value.items()}
        if kind == "integer" and re.fullmatch(r"-?\d+", value):
            return int(value)
        if kind == "boolean" and value in ("true", "false"):
            return value == "true"
        return value

    def operation(self, method, path):
        """The description of a call; a path without variables goes before one with."""
        best = None
        for template, operations in self.paths.items():
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
            if method in operations and re.fullmatch(pattern, path) and (best is None or "{" not in template):
                best = operations[method]
        return best

    def request(self, call):
        operation = self.operation(call["m"].lower(), call["p"])
        if operation is None:
            return ["no such operation"]
        content = operation.get("requestBody", {}).get("content", {})
        schema = strict(content.get("application/x-www-form-urlencoded", {}).get("schema", {}))
        body = {key: value for key, value in tree(call["b"]).items() if key not in NEWER_PARAMETERS}
        errors = self.errors(schema, self.fitted(body, schema))
        named = {part["name"] for part in operation.get("parameters", []) if part["in"] == "query"}
        errors += [f"unknown query parameter {key}" for key in tree(call["q"]) if key not in named | NEWER_PARAMETERS]
        if call["b"] and call["h"].get("content-type") != "application/x-www-form-urlencoded":
            errors.append(f"content type {call['h'].get('content-type')}")
        if call["m"] == "POST" and "idempotency-key" not in call["h"]:
            errors.append("POST without Idempotency-Key")
        return errors


def missing_keys(example, ours, path=""):
    """Keys of Stripe's example that ours lacks, where both are objects."""
    for key, value in example.items():
        here = f"{path}{key}"
        if key not in ours:
            yield here
        elif isinstance(value, dict) and isinstance(ours[key], dict) and key not in OPAQUE:
            yield from missing_keys(value, ours[key], f"{here}.")


def newest(folder, *patterns):
    found = sorted(path for pattern in patterns for path in folder.glob(pattern))
    return json.loads(found[-1].read_text()) if found else None


def main():
    folder, requests, objects = (pathlib.Path(argument) for argument in sys.argv[1:4])
    calls = [json.loads(line) for line in requests.read_text().splitlines()]
    objects = json.loads(objects.read_text())
    bad = 0

    def report(what, errors):
        nonlocal bad
        bad += bool(errors)
        for error in errors:
            print(f"{what}: {error}")

    spec = newest(folder, "spec3*.json", "stripe.com.json")
    if spec:
        judge = Judge(spec)
        for call in calls:
            report(f"{call['m']} {call['p']}", judge.request(call))
        answers = Judge({**spec, "components": nullable(spec["components"])})
        for one in objects:
            schema = {"$ref": f"#/components/schemas/{one['object']}"}
            report(one["object"], answers.errors(schema, one))
        print(f"OpenAPI description: {len(calls)} requests, {len(objects)} objects judged")
    else:
        print("OpenAPI description: skipped (none in the folder)")
    examples = newest(folder, "fixtures3*.json")
    if examples:
        for one in objects:
            left = NOT_HERE.get(one["object"], set())
            lacking = [key for key in missing_keys(examples["resources"][one["object"]], one) if key not in left]
            report(one["object"], [f"Stripe's example has {key}" for key in lacking])
        print(f"Stripe's example objects: {len(objects)} compared")
    else:
        print("Stripe's example objects: skipped (none in the folder)")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
