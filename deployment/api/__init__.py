"""What every service shares over HTTP: application, middleware, requests, responses and the server."""
