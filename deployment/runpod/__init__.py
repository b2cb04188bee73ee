"""RunPod serverless workers of both services."""
