"""Lists by Django REST framework and Strawberry: `python django_lists.py DATABASE PORT [USER PASSWORD]`.

The paginators are those of the two libraries; nothing here decides what a page holds or how a list ends. With a user,
there are lists behind the ways to sign in of Django: its page for people, which gives a session, and the tokens and the
basic authentication of Django REST framework.
"""

import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
import strawberry
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection, models
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

DATABASE, PORT, *WHO = sys.argv[1], int(sys.argv[2]), *sys.argv[3:]
settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATABASE}},
    INSTALLED_APPS=[
        "strawberry.django",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "rest_framework",
        "rest_framework.authtoken",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    SECRET_KEY="practice",
    SESSION_COOKIE_AGE=3600,
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [
                    (
                        "django.template.loaders.locmem.Loader",
                        {"login.html": "<form method=post>{% csrf_token %}{{ form }}</form>"},
                    )
                ]
            },
        }
    ],
    REST_FRAMEWORK={
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "UNAUTHENTICATED_USER": None,
    },
    ROOT_URLCONF=__name__,
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402 - they read the settings
from django.contrib.auth.views import LoginView, LogoutView  # noqa: E402 - likewise
from django.core.management import call_command  # noqa: E402 - likewise
from rest_framework import authentication, generics, pagination, permissions, serializers  # noqa: E402 - likewise
from rest_framework.authtoken.views import obtain_auth_token  # noqa: E402 - likewise
from strawberry import relay  # noqa: E402 - likewise
from strawberry.django.views import GraphQLView  # noqa: E402 - likewise


class Item(models.Model):
    """A row of the table that the test has filled."""

    id = models.CharField(primary_key=True, max_length=20)
    number = models.IntegerField()
    name = models.TextField()

    class Meta:
        """Which table."""

        app_label = "lists"
        db_table = "items"
        managed = False
        ordering = ("number",)

    def __str__(self) -> str:
        """Return its id."""
        return self.id


class ItemSerializer(serializers.ModelSerializer):
    """All columns."""

    class Meta:
        """Of which model."""

        model = Item
        fields = ("id", "number", "name")


def listed(paginator: type[pagination.BasePagination], **settings_of_it: object) -> object:
    """Return a view of the list by a paginator."""
    chosen = type("Chosen", (paginator,), settings_of_it)
    return generics.ListAPIView.as_view(
        queryset=Item.objects.all(), serializer_class=ItemSerializer, pagination_class=chosen
    )


@strawberry.type
class ItemNode(relay.Node):
    """An item of the connection."""

    id: relay.NodeID[str]
    number: int
    name: str


@strawberry.type
class Query:
    """The query type."""

    @relay.connection(relay.ListConnection[ItemNode])
    def items(self) -> list[ItemNode]:
        """Return all items; the library cuts them."""
        return [ItemNode(id=item.id, number=item.number, name=item.name) for item in Item.objects.all()]


def guarded(way: type[authentication.BaseAuthentication]) -> object:
    """Return a view of the list for those who have signed in by a way."""
    return generics.ListAPIView.as_view(
        queryset=Item.objects.all(),
        serializer_class=ItemSerializer,
        pagination_class=type("Chosen", (pagination.PageNumberPagination,), {"page_size": 5}),
        authentication_classes=[way],
        permission_classes=[permissions.IsAuthenticated],
    )


SIZE = {"page_size": 5, "max_page_size": 5}
urlpatterns = [
    path("page/", listed(pagination.PageNumberPagination, page_size_query_param="page_size", **SIZE)),
    path("offset/", listed(pagination.LimitOffsetPagination, default_limit=5, max_limit=5)),
    path("cursor/", listed(pagination.CursorPagination, page_size_query_param="page_size", ordering="number", **SIZE)),
    path("login/", LoginView.as_view(template_name="login.html", next_page="/session/")),
    path("logout/", csrf_exempt(LogoutView.as_view(next_page="/login/"))),
    path("session/", guarded(authentication.SessionAuthentication)),
    path("get-token/", obtain_auth_token),
    path("token/", guarded(authentication.TokenAuthentication)),
    path("basic/", guarded(authentication.BasicAuthentication)),
    path("graphql/", csrf_exempt(GraphQLView.as_view(schema=strawberry.Schema(Query)))),
]


class Server(ThreadingMixIn, WSGIServer):
    """A thread a request."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """A handler that does not log."""

    def log_message(self, *_: object) -> None:
        """Write nothing."""


if __name__ == "__main__":
    connection.ensure_connection()
    if WHO:
        call_command("migrate", verbosity=0)
        User.objects.create_user(WHO[0], password=WHO[1])
    make_server("127.0.0.1", PORT, get_wsgi_application(), server_class=Server, handler_class=Quiet).serve_forever()
