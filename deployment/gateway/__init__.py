"""What people search with: one question to ranked law, by two services or in this process, and the search page."""
