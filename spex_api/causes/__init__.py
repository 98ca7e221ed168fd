"""An explanation, or a pipeline under masks → causes that were put to the test."""
