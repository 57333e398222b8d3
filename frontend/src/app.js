// On every page of a signed-in user. Pages are whole without it.
import "htmx.org";
