"""A club's booking site in Django, as far as it sends mail. Django is set up once for each process: see start()."""

import sys

import django
from django.conf import settings
from django.urls import include, path

USERS = ["bob", "amy", "eve"]


def start(directory):
    """Make its database, with a few members at dest.test."""
    settings.configure(
        SECRET_KEY="of a test", DEBUG=False, ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, USE_TZ=True,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(directory / "club.db"), "OPTIONS": {"timeout": 30}}},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "django.contrib.messages",
                        "django.contrib.admin"],
        MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware",
                    "django.contrib.messages.middleware.MessageMiddleware"],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {"context_processors": [
            "django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
            "django.contrib.messages.context_processors.messages"]}}],
        EMAIL_HOST="localhost", EMAIL_USE_TLS=True, EMAIL_TIMEOUT=20, DEFAULT_FROM_EMAIL="Sports Club <hello@club.test>",
        DEFAULT_AUTO_FIELD="django.db.models.AutoField")
    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    call_command("migrate", verbosity=0)
    for name in USERS:
        User.objects.create_user(name, f"{name}@dest.test", "an old password")


def mail_through(port, user, secret):
    """What a site's settings say. The credential tells what its mail is for."""
    settings.EMAIL_PORT, settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = port, user, secret


def urls():
    from django.contrib import admin
    return [path("accounts/", include("django.contrib.auth.urls")), path("admin/", admin.site.urls)]


def __getattr__(name):
    if name == "urlpatterns":  # Django's own modules can be imported after start() only
        sys.modules[__name__].urlpatterns = urls()
        return sys.modules[__name__].urlpatterns
    raise AttributeError(name)
