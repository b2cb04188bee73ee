"""Search on this machine by one command: both services and the gateway, from the newest trained retriever."""
