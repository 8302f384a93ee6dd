"""What readers are answered from: entries as ready bytes, their deadlines, and XPath over them."""
