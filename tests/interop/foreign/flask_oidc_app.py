"""flask-oidc, configured by a client secrets file as its documentation shows."""

import json
import sys
from pathlib import Path
from typing import Any

from flask import Flask, g
from flask_oidc import OpenIDConnect

config = json.loads(Path(sys.argv[1]).read_text("utf-8"))
secrets = Path(config["database"]).with_suffix(".secrets.json")
secrets.write_text(
    json.dumps(
        {
            "web": {
                "client_id": config["client_id"],
                "client_secret": config["client_secret"],
                "auth_uri": config["authorization_endpoint"],
                "token_uri": config["token_endpoint"],
                "userinfo_uri": config["userinfo_endpoint"],
                "issuer": config["issuer"],
                "redirect_uris": [config["redirect_uri"]],
            }
        }
    )
)
app = Flask(__name__)
app.config.update(SECRET_KEY=config["client_secret"], OIDC_CLIENT_SECRETS=str(secrets))
oidc = OpenIDConnect(app)


@app.get("/")
def home() -> dict[str, Any]:
    """Who is signed in to the application, as the application knows her."""
    if not oidc.user_loggedin:
        return {"user": None}
    return {"user": g.oidc_user.unique_id, "email": g.oidc_user.email}


@app.get("/in")
@oidc.require_login
def sign_in() -> dict[str, Any]:
    """A page for those who are signed in."""
    return home()


app.run("127.0.0.1", config["port"])
