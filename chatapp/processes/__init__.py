"""The processes beside the web workers, and what starts and watches them."""
