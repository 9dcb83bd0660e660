"""The status page: what /admin/pool says, for people, and two buttons."""
