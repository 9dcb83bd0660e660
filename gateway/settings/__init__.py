"""The configuration: read once from files, environment and flags into one frozen tree.

Lowest to highest: defaults, the .env file in the home folder, ./.env, the file named by FCC_ENV_FILE,
keyturn.toml, the environment, flags.
"""

from gateway.settings.load import load, load_from_process
from gateway.settings.model import SHARED, ClientToken, Settings

__all__ = ["SHARED", "ClientToken", "Settings", "load", "load_from_process"]
