"""The Flask application: pages for people, the same answers as JSON for programs.

Nothing that is typed is kept or logged, and no page needs anything from elsewhere.
"""

import hmac
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from credit_spark.config.errors import InputError
from credit_spark.serving.answers import ScoringService
from credit_spark.serving.fields import read

MAX_BODY_BYTES = 64 * 1024
MAX_ID_LENGTH = 200
ONLY_LOCAL = {"error": "without a token this page is served on localhost only"}
API = "/api/v1"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Whether a host, by its name or address, is this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def application(answers: ScoringService, token: str | None = None) -> Flask:
    """The application; with a `token`, a request without it is refused."""
    app = Flask(__name__)
    # Two slashes in a loan's id are not one.
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]
    _guard(app, token or None)
    _pages(app, answers)
    _programs(app, answers)
    app.register_error_handler(Exception, _error_response)
    return app


def _guard(app: Flask, token: str | None) -> None:
    @app.before_request
    def known() -> ResponseReturnValue | None:
        if token is None:
            # A page elsewhere may give its own name this machine's address, and ask in it.
            host = urlsplit(f"//{request.host}").hostname or ""
            return None if is_loopback(host) else (ONLY_LOCAL, 403)
        given = request.authorization
        sent = (given.token or given.password or "") if given else ""
        if hmac.compare_digest(sent.encode(), token.encode()):
            return None
        realm = {"WWW-Authenticate": 'Basic realm="credit-spark", charset="UTF-8"'}
        return {"error": "this needs the token that the server was started with"}, 401, realm

    @app.after_request
    def guarded(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response


def _pages(app: Flask, answers: ScoringService) -> None:
    @app.get("/")
    def batch() -> str:
        return render_template("batch.html", title=answers.title, batch=answers.batch())

    @app.get("/loan")
    def loan() -> tuple[str, int]:
        loan_id = request.args.get("loan_id", "").strip()
        answer = answers.loan(loan_id) if 0 < len(loan_id) <= MAX_ID_LENGTH else None
        page = render_template("loan.html", title=answers.title, loan_id=loan_id, answer=answer)
        return page, 200 if answer or not loan_id else 404

    @app.route("/applicant", methods=["GET", "POST"])
    def applicant() -> tuple[str, int]:
        fields = answers.fields()
        typed, faults, answer = dict(request.form), dict[str, str](), None
        if request.method == "POST":
            values, faults = read(fields, typed)
            answer = None if faults else answers.applicant(values)
        found = {"fields": fields, "typed": typed, "faults": faults, "answer": answer}
        page = render_template("applicant.html", title=answers.title, **found)
        return page, 422 if faults else 200


def _programs(app: Flask, answers: ScoringService) -> None:
    @app.get(f"{API}/batch")
    def batch_as_json() -> ResponseReturnValue:
        return answers.batch()

    @app.get(f"{API}/night")
    def night_as_json() -> ResponseReturnValue:
        # What an earlier version called it.
        return redirect(f"{API}/batch", 301)

    @app.get(f"{API}/loans/<path:loan_id>")
    def loan_as_json(loan_id: str) -> ResponseReturnValue:
        answer = answers.loan(loan_id) if len(loan_id) <= MAX_ID_LENGTH else None
        return answer or ({"error": "there is no such loan on that date"}, 404)

    @app.post(f"{API}/applicants")
    def applicant_as_json() -> ResponseReturnValue:
        given = _json()
        if not isinstance(given, dict):
            return {"error": "send one JSON object, with a value for each field"}, 400
        values, faults = read(answers.fields(), given)
        if faults:
            return {"error": "some fields cannot be used", "fields": faults}, 422
        return answers.applicant(values)

    @app.get(f"{API}/openapi.json")
    def openapi() -> ResponseReturnValue:
        fields = answers.fields()
        applicant = {
            "type": "object",
            "properties": {field.name: field.schema for field in fields},
            "required": [field.name for field in fields if field.spec.required],
            "additionalProperties": False,
        }
        text = render_template("openapi.json", title=answers.title, root=API, applicant=applicant)
        return Response(text, mimetype="application/json")


def _json() -> object:
    """The body as JSON; None where it is not JSON, or is nested too deeply."""
    try:
        return request.get_json(silent=True)
    except RecursionError:
        return None


def _error_response(error: Exception) -> ResponseReturnValue:
    """A fault as a sentence and a status: 503 where there is no batch yet, 500 where it is ours."""
    if isinstance(error, InputError):
        sentence, status = str(error), 503
    elif isinstance(error, HTTPException):
        sentence, status = (error.description or error.name).split("\n")[0], error.code or 500
    else:
        # No values: what was typed may stand in the error's text.
        name = type(error).__name__
        current_app.logger.error("internal error: %s at %s", name, request.endpoint)
        sentence, status = "internal error; see the server log", 500
    allowed = error.valid_methods if isinstance(error, MethodNotAllowed) else None
    headers = {"Allow": ", ".join(sorted(allowed))} if allowed else {}
    if request.path.startswith(API):
        return {"error": sentence}, status, headers
    page = render_template("fault.html", title="credit-spark", sentence=sentence)
    return page, status, headers
