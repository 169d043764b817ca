"""The OpenAPI 3.1 document, made from the declarations of the routes."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec

from vibetunnel import __version__
from vibetunnel.handlers.route import Media, Operation, Permission, Route
from vibetunnel.handlers.schemas import ErrorAnswer
from vibetunnel.handlers.validation import Given

Json = dict[str, Any]  # Any: a JSON Schema has no narrower type

_FILE: Json = {"type": "string", "format": "binary"}
_BODIES: dict[str, Json] = {  # of operations that take a body in parts
    "multipart/form-data": {"schema": {"type": "object", "properties": {"file": _FILE}, "required": ["file"]}}
}


def document(routes: Iterable[Route], cookie: str, base_path: str = "") -> bytes:
    """Return the document as JSON. cookie: the name of the login's cookie."""
    schemes: Json = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "The secret in the state folder, or a token."},
        "cookie": {"type": "apiKey", "in": "cookie", "name": cookie, "description": "From POST /api/auth/code."},
    }
    shown = [route for route in routes if not route.hidden]
    shapes = _shapes(shown)
    found, components = msgspec.json.schema_components(shapes, ref_template="#/components/schemas/{name}")
    for shape in shapes:
        if isinstance(shape, type) and issubclass(shape, Given) and shape.exactly_one:
            components[shape.__name__]["oneOf"] = [_given(name) for name in shape.exactly_one]
    schemas = {id(shape): schema for shape, schema in zip(shapes, found, strict=True)}
    paths: Json = {}
    for route in shown:
        paths[route.shown] = {
            method.lower(): _operation(route, method, operation, schemas)
            for method, operation in route.operations.items()
        }
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "vibetunnel", "version": __version__},
            "servers": [{"url": base_path or "/"}],
            "paths": paths,
            "components": {"schemas": components, "securitySchemes": schemes},
        }
    )


def _given(name: str) -> Json:
    """The schema of an object whose field is given, as validation.Given counts it."""
    return {"required": [name], "properties": {name: {"not": {"enum": [None, False]}}}}


def _shapes(routes: Iterable[Route]) -> list[Any]:
    found: list[Any] = [ErrorAnswer]
    for route in routes:
        for operation in route.operations.values():
            answers = (each for each in operation.answers.values() if each is not None and not isinstance(each, Media))
            found += [each for each in (operation.body, operation.query, *answers) if each is not None]
    return found


def errors_of(route: Route, operation: Operation) -> set[HTTPStatus]:
    """The statuses of all errors that the operation may answer, except 500 for bugs."""
    errors = {HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS, *operation.errors}
    if operation.permission is not Permission.OPEN:
        errors.add(HTTPStatus.UNAUTHORIZED)
    if operation.query is not None or route.parameters:  # a part of the path may be no UTF-8
        errors |= {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE}
    if operation.body is not None or operation.takes:
        errors |= {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE}
    return errors


def _operation(route: Route, method: str, operation: Operation, schemas: dict[int, Json]) -> Json:
    parameters: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": msgspec.json.schema(route.parts.get(name, str))}
        for name in route.parameters
    ]
    if operation.query is not None:
        parameters += _query_parameters(operation.query)
    responses = {
        str(status): _answer(HTTPStatus(status), answer, schemas) for status, answer in operation.answers.items()
    }
    for status in sorted(errors_of(route, operation)):
        responses[str(int(status))] = _answer(status, ErrorAnswer, schemas)
    result: Json = {
        "operationId": _name(route, method),
        "summary": operation.summary,
        "responses": responses,
        "security": [] if operation.permission is Permission.OPEN else [{"bearer": []}, {"cookie": []}],
    }
    if parameters:
        result["parameters"] = parameters
    if operation.body is not None:
        content = {"application/json": {"schema": schemas[id(operation.body)]}}
        result["requestBody"] = {"required": not operation.body_optional, "content": content}
    elif operation.takes:
        result["requestBody"] = {"required": True, "content": {each: _BODIES.get(each, {}) for each in operation.takes}}
    return result


def _query_parameters(shape: type[msgspec.Struct]) -> list[Json]:
    """A struct's fields as query parameters, each with its whole schema."""
    (_,), components = msgspec.json.schema_components([shape])
    schema = components[shape.__name__]
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": field}
        for name, field in schema["properties"].items()
    ]


def _answer(status: HTTPStatus, answer: Any, schemas: dict[int, Json]) -> Json:
    result: Json = {"description": status.phrase}
    if isinstance(answer, Media):
        result["content"] = {answer.type: {}}
        if answer.headers:
            result["headers"] = {
                name: {"description": text, "schema": {"type": "integer"}} for name, text in answer.headers.items()
            }
    elif answer is not None:
        result["content"] = {"application/json": {"schema": schemas[id(answer)]}}
    return result


def _name(route: Route, method: str) -> str:
    words = [each for each in route.shown.replace("{", "").replace("}", "").replace(".", "/").split("/") if each]
    return "_".join([method.lower(), *words]).replace("-", "_")
