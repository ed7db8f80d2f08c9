"""Mathematics without physics: each file is one tool."""
