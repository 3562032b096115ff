"""The web: pages for coordinators, personal links without account, and the API.

`create_app` is a WSGI application factory: `scheduler.web:create_app()`. A view reads the request, makes one call of an
action, and responds. Everything that is true of every page (who asks, in which language, which headers) stands in
`security` and `reader`; what an error looks like, in `failures`.
"""

from __future__ import annotations

import gc

from flask import Flask
from flask.templating import Environment
from jinja2 import StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter

from scheduler import config, limits, logs, paths
from scheduler.config import Settings
from scheduler.desk import Desk
from scheduler.mail import compose
from scheduler.mail.render import PlainContext
from scheduler.web import (
    agenda,
    api,
    calendars,
    changes_of_law,
    cities,
    city_closures,
    city_hours,
    clocks,
    failures,
    feeds,
    health,
    invitation,
    mailbox,
    meetings,
    operation,
    own_sign_in,
    password_sign_in,
    proposal,
    reader,
    reports,
    requests_log,
    review,
    security,
    series,
    sign_in,
)
from scheduler.web import (
    settings as own_settings,
)

ON_CITIES = (city_closures, city_hours)  # their pages belong to the blueprint of cities
BLUEPRINTS = (
    agenda,
    sign_in,
    password_sign_in,
    proposal,
    series,
    meetings,
    changes_of_law,
    invitation,
    review,
    cities,
    reports,
    own_settings,
    own_sign_in,
    feeds,
    calendars,
    operation,
    mailbox,
    health,
    api,
)


class RowNumber(IntegerConverter):
    """A number in an address, no longer than a database can hold; a longer one is no page of ours."""

    regex = r"\d{1,18}"


class _Environment(Environment):
    context_class = PlainContext


class _Application(Flask):
    jinja_environment = _Environment


def create_app(settings: Settings | None = None, desk: Desk | None = None) -> Flask:
    """The application for `desk`, else for the settings given or found (see `config.load`)."""
    served = desk is None  # by a WSGI server, in a process that does nothing else
    if desk is None:
        desk = Desk.open(settings or config.load())
        logs.to_stderr_by_default()  # a WSGI server has called us, and asks nobody how to log
    compose.self_test()
    app = _Application("scheduler.web", template_folder=str(paths.TEMPLATES / "web"))
    app.url_map.converters["int"] = RowNumber
    app.extensions["desk"] = desk
    app.extensions["api_requests"] = limits.Tally(desk, limits.api_requests(desk))
    _configure(app, desk.settings)
    app.secret_key = desk.key
    # After the key was replaced, forms that lay open go on: cookies and tokens of the older keys are still read.
    app.config["SECRET_KEY_FALLBACKS"] = list(desk.older_keys)
    app.config["WTF_CSRF_SECRET_KEY"] = list(reversed(desk.keys))  # the last one signs
    requests_log.introduce(app)  # first, so that what the others refuse is logged too
    security.protect(app)
    reader.introduce(app)
    clocks.introduce(app)
    failures.introduce(app)
    for module in BLUEPRINTS:
        app.register_blueprint(module.blueprint)
    if served:
        gc.freeze()  # what was loaded stays; looking through all of it for garbage made a request wait now and then
    return app


def _configure(app: Flask, settings: Settings) -> None:
    app.config.update(
        DEBUG=False,  # whatever FLASK_DEBUG says: a traceback is no page for the world
        PROPAGATE_EXCEPTIONS=False,
        TRUSTED_HOSTS=settings.server.hosts,
        MAX_CONTENT_LENGTH=5_000_000,
        MAX_FORM_MEMORY_SIZE=1_000_000,
        MAX_FORM_PARTS=3_000,
        SEND_FILE_MAX_AGE_DEFAULT=3600,
    )
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.autoescape = True
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    if settings.server.proxies:
        hops = settings.server.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]
