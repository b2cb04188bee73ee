"""Where law and questions come from: the bundled codes and files in the format of SoICT."""
