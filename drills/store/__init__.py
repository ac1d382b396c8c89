"""The drill of layer `store`: what every client of the object store may do, loses and gets back."""
