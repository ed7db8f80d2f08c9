"""Vibrations that something couples: their normal modes and where these coalesce."""
