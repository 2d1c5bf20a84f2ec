"""The webhook of a typical Flask tutorial; gunicorn serves it."""

from __future__ import annotations

from flask import Flask, jsonify, request

app = Flask(__name__)


@app.route("/validate-pods", methods=["POST"])
def validate_pods():
    review = request.get_json()
    uid = review["request"]["uid"]
    pod = review["request"]["object"]
    labels = pod["metadata"].get("labels") or {}

    if "app" in labels:
        response = {"uid": uid, "allowed": True}
    else:
        response = {
            "uid": uid,
            "allowed": False,
            "status": {"code": 403, "message": "Pod must have an app label"},
        }

    return jsonify(
        {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": response,
        }
    )
