"""The exercise's straightforward solution: a text file per room, appended to under a lock."""

import fcntl
import os
import re
from datetime import datetime

from flask import Flask, Response, request

app = Flask(__name__)
folder = os.environ["PEER_FOLDER"]


def to_file(room):
    return os.path.join(folder, re.sub(r"[^a-z0-9_-]", "_", room) + ".txt")


@app.get("/chat/<room>")
def read(room):
    try:
        with open(to_file(room), encoding="utf-8") as file:
            return Response(file.read(), mimetype="text/plain")
    except FileNotFoundError:
        return Response("", mimetype="text/plain")


@app.post("/chat/<room>")
def write(room):
    username, message = request.form.get("username"), request.form.get("message")
    if not username or not message:
        return Response("username and message are needed\n", status=400)
    line = f"[{datetime.now():%Y-%m-%d %H:%M:%S}] {username}: {message}\n"
    with open(to_file(room), "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(line)
        file.flush()
        os.fdatasync(file.fileno())
    return Response(line, status=201, mimetype="text/plain")
