/** Markup characters of keys and messages, escaped. */
export function escapeXml(text: string): string {
  return text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** `<name>text</name>`; numbers and booleans as text. */
export function element(name: string, content: string | number | boolean): string {
  return `<${name}>${typeof content === 'string' ? escapeXml(content) : content}</${name}>`;
}

/** A document whose content is XML already. */
export function xmlDocument(root: string, content: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</${root}>`;
}
