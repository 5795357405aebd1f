"""The window: application, menus, dialogs. May know everything; nothing knows it."""
