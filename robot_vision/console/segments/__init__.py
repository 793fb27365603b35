"""Segmentation by pointing: `picture` handles clients' pictures, `live` asks the service."""
